const { accountsOf } = require("../../../../lib/accounts")
const documents = require("../../../../lib/documents")
const records = require("../../../../lib/records")

const SHOWN = {
  accounts: "account",
  "ship-tos": "ship_to",
  "bill-tos": "bill_to",
  invoices: "invoice",
  documents: "document",
}
// Who else acts for the account is no buyer's business.
const HIDDEN = ["is", "users", "organisations", "exceptions", "barred"]

/**
 * What is mirrored for the accounts that the signed-in buyer acts for, and for no
 * other. A retail buyer acts for none, whatever their own metadata says.
 */
async function GET(req, res) {
  const kind = Object.hasOwn(SHOWN, req.params.kind) ? SHOWN[req.params.kind] : null
  if (!kind) {
    return res.status(404).json({ type: "not_found", message: "there is nothing of that name" })
  }
  const limit = Math.min(Math.max(Number.parseInt(req.query.limit, 10) || 200, 1), 1000)
  const offset = Math.max(Number.parseInt(req.query.offset, 10) || 0, 0)
  const accounts = await accountsOf(req.scope, req.auth_context.actor_id)
  if (kind === "document") {
    const page = await documents.page(req.scope, accounts, req.auth_context.actor_id, limit, offset)
    return res.json({ ...page, limit, offset })
  }
  const found = () =>
    records.database(req.scope)("tradesync_record").where("kind", kind).whereIn("owner", accounts)
  const [{ count }] = await found().count({ count: "*" })
  const rows = await found()
    .select("owner", "document")
    .orderByRaw(kind === "invoice" ? `"about" desc, "key" desc` : `"owner", "key"`)
    .limit(limit)
    .offset(offset)
  const shown = rows.map(({ owner, document }) => {
    const told = JSON.parse(document)
    HIDDEN.forEach((name) => delete told[name])
    return { account: owner, ...told }
  })
  res.json({ [req.params.kind]: shown, count: Number(count), limit, offset })
}

module.exports = { GET }
