const contents = require("../../../../../lib/contents")
const { guarded } = require("../../../../../lib/guarded")
const records = require("../../../../../lib/records")
const { isSha256, refuse } = require("../../../../../lib/refusing")

/** How many bytes are held of each content, of those that are held. Reads only. */
async function POST(req, res) {
  const { sha256 } = req.body || {}
  if (!Array.isArray(sha256) || !sha256.every(isSha256)) {
    return refuse(res, "sha256 is a list of SHA-256 in hexadecimal")
  }
  const held = await contents.sizes(records.database(req.scope), sha256)
  res.json({ contents: [...held].map(([name, size]) => ({ sha256: name, size })) })
}

module.exports = guarded({ POST })
