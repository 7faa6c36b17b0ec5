const { guarded } = require("../../../../lib/guarded")
const records = require("../../../../lib/records")
const { areTexts, refuse, refuseContent } = require("../../../../lib/refusing")
const { isNamed, isRecord } = require("../../../../lib/shapes")

/** Put and remove mirrored records, all of them or none. */
async function POST(req, res) {
  const { put = [], remove = [] } = req.body || {}
  if (!Array.isArray(put) || !Array.isArray(remove)) {
    return refuse(res, "put and remove are lists of records")
  }
  const bad = put.findIndex((row) => !isRecord(row))
  if (bad >= 0) {
    return refuse(res, `put[${bad}] is no record with kind, owner, key and document`)
  }
  const unnamed = remove.findIndex((row) => !isNamed(row))
  if (unnamed >= 0) {
    return refuse(res, `remove[${unnamed}] names no record`)
  }
  if (!(await records.apply(req.scope, put, remove))) {
    return refuseContent(res)
  }
  res.json({ put: put.length, removed: remove.length })
}

/** Remove everything that is mirrored under these owners. */
async function DELETE(req, res) {
  const { kinds, owners } = req.body || {}
  if (!areTexts(kinds) || !areTexts(owners)) {
    return refuse(res, "kinds and owners are lists of texts")
  }
  await records.removeOwners(req.scope, kinds, owners)
  res.json({})
}

module.exports = guarded({ POST, DELETE })
