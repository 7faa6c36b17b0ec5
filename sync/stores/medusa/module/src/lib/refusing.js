/** Answer with the error that a Medusa client expects; nothing was changed. */
function refuse(res, message, status = 400) {
  return res.status(status).json({ type: "invalid_data", message })
}

/** A content that is not there whole, or not what was told. */
const refuseContent = (res) => refuse(res, "the content is not what the document tells", 422)

const isText = (value) => typeof value === "string" && value !== "" && !value.includes("\u0000")
const areTexts = (values) => Array.isArray(values) && values.every(isText)
const isSha256 = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value)

module.exports = { areTexts, isSha256, isText, refuse, refuseContent }
