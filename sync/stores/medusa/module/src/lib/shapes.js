const { KINDS } = require("./records")
const { isSha256, isText } = require("./refusing")

const isNamed = (row) =>
  Boolean(row) && KINDS.includes(row.kind) && isText(row.owner) && isText(row.key)

/** A record as it can be put. A document tells its content, and perhaps an order. */
function isRecord(row) {
  if (!isNamed(row) || !isText(row.document) || !(row.about == null || isText(row.about))) {
    return false
  }
  if (row.kind !== "document") {
    return row.sha256 == null && row.order_id == null
  }
  const order = row.order_id == null || row.order_id === "" || isText(row.order_id)
  return order && isSha256(row.sha256) && Number.isInteger(row.size) && row.size > 0
}

module.exports = { isNamed, isRecord }
