const { guarded } = require("../../../../../lib/guarded")
const records = require("../../../../../lib/records")
const { areTexts, refuse } = require("../../../../../lib/refusing")

/** Under which owners something of these kinds is mirrored. Reads only. */
async function POST(req, res) {
  const { kinds } = req.body || {}
  if (!areTexts(kinds)) {
    return refuse(res, "kinds is a list of texts")
  }
  res.json({ owners: await records.owners(req.scope, kinds) })
}

module.exports = guarded({ POST })
