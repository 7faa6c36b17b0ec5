const { guarded } = require("../../../lib/guarded")
const { KINDS } = require("../../../lib/records")

// Admin routes take what Medusa itself takes: a secret API key, a session or a token of
// a user.

/** That the module is here, and which one. */
async function GET(_req, res) {
  res.json({ tradesync: { version: 3, kinds: KINDS } })
}

module.exports = guarded({ GET })
