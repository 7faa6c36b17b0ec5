/** Answer with the error that a Medusa client expects; nothing was changed. */
function refuse(res, message) {
  return res.status(400).json({ type: "invalid_data", message })
}

const isText = (value) => typeof value === "string" && value !== "" && !value.includes("\u0000")
const areTexts = (values) => Array.isArray(values) && values.every(isText)

module.exports = { areTexts, isText, refuse }
