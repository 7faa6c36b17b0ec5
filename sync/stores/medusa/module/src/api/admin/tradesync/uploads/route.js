const contents = require("../../../../lib/contents")
const { guarded } = require("../../../../lib/guarded")
const { isText, refuse } = require("../../../../lib/refusing")

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Keep a piece of a file until all of it is there; nobody is shown any of it. */
async function POST(req, res) {
  const { upload, position, piece } = req.body || {}
  if (!isText(upload) || !Number.isInteger(position) || position < 0) {
    return refuse(res, "an upload has a name, and its pieces are counted from 0")
  }
  if (!isText(piece) || !BASE64.test(piece)) {
    return refuse(res, "piece is bytes in base64")
  }
  await contents.keep(req.scope, upload, position, Buffer.from(piece, "base64"))
  res.json({})
}

module.exports = guarded({ POST })
