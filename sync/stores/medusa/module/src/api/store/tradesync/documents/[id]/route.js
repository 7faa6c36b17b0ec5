const { accountsOf } = require("../../../../../lib/accounts")
const contents = require("../../../../../lib/contents")
const documents = require("../../../../../lib/documents")

/**
 * The file of a document that the signed-in buyer may see. Any other is not there, and
 * neither is one whose content is no longer what was published.
 */
async function GET(req, res) {
  const customer = req.auth_context.actor_id
  const accounts = await accountsOf(req.scope, customer)
  const found = await documents.one(req.scope, accounts, customer, req.params.id)
  const content = found ? await contents.read(req.scope, found.sha256) : null
  if (content === null || content.length !== found.size) {
    return res.status(404).json({ type: "not_found", message: "there is no such document" })
  }
  // The file is somebody else's work: no browser is to guess what it may be, or run it.
  res.setHeader("Content-Type", found.media_type)
  res.setHeader("X-Content-Type-Options", "nosniff")
  res.setHeader("Content-Security-Policy", "sandbox; default-src 'none'")
  res.setHeader("Content-Disposition", `attachment; filename="${found.file_name}"`)
  res.setHeader("Cache-Control", "private, no-store")
  res.send(content)
}

module.exports = { GET }
