const { guarded } = require("../../../../lib/guarded")
const records = require("../../../../lib/records")
const { isText, refuse, refuseContent } = require("../../../../lib/refusing")
const { isRecord } = require("../../../../lib/shapes")

/** Put a document with the content that was uploaded for it, both or none. */
async function POST(req, res) {
  const { upload, record } = req.body || {}
  if (!isText(upload) || !isRecord(record) || record.kind !== "document") {
    return refuse(res, "a document is a record with sha256 and size, and names an upload")
  }
  if (!(await records.publish(req.scope, record, upload))) {
    return refuseContent(res)
  }
  res.json({})
}

module.exports = guarded({ POST })
