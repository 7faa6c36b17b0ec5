const { guarded } = require("../../../../../lib/guarded")
const records = require("../../../../../lib/records")
const { areTexts, refuse } = require("../../../../../lib/refusing")

/** Records of one kind, by owner and key, a page at a time. Reads only. */
async function POST(req, res) {
  const { kind, owners, about, after, limit = 1000 } = req.body || {}
  if (!records.KINDS.includes(kind)) {
    return refuse(res, "kind is not one that is mirrored")
  }
  if ((owners != null && !areTexts(owners)) || (about != null && !areTexts(about))) {
    return refuse(res, "owners and about are lists of texts")
  }
  if (after != null && !(areTexts(after) && after.length === 2)) {
    return refuse(res, "after is an owner and a key")
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > 5000) {
    return refuse(res, "limit is a whole number from 1 to 5000")
  }
  res.json({ records: await records.page(req.scope, { kind, owners, about, after, limit }) })
}

module.exports = guarded({ POST })
