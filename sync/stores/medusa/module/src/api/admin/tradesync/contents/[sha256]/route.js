const contents = require("../../../../../lib/contents")
const { guarded } = require("../../../../../lib/guarded")

/** The content with that SHA-256, as long as it still has it. */
async function GET(req, res) {
  const content = await contents.read(req.scope, req.params.sha256)
  if (content === null) {
    return res.status(404).json({ type: "not_found", message: "no such content is held" })
  }
  res.setHeader("Content-Type", "application/octet-stream")
  res.send(content)
}

module.exports = guarded({ GET })
