const { KINDS } = require("../../../lib/records")

// Admin routes are behind Medusa's own authentication: a secret API key, a
// session or a token of a user.

/** That the module is here, and which one. */
async function GET(_req, res) {
  res.json({ tradesync: { version: 2, kinds: KINDS } })
}

module.exports = { GET }
