const { model } = require("@medusajs/framework/utils")

// One mirrored record: an account, an address, an invoice or a price of the ERP.
//
// `owner` is the ERP customer ID (for prices: the audience and the level), `key`
// the record's own key within it. `about` is what it can be looked for by: an
// invoice's day, a price's item, an address as one text. `document` is the record
// as JSON text, since a JSON column would turn its amounts into floats.
//
// Exported by name: Medusa looks for models among a file's named exports.
const TradesyncRecord = model
  .define("tradesync_record", {
    id: model.id({ prefix: "tsrec" }).primaryKey(),
    kind: model.text(),
    owner: model.text(),
    key: model.text(),
    about: model.text().nullable(),
    document: model.text(),
  })
  .indexes([{ on: ["kind", "owner", "key"], unique: true }])

module.exports = { TradesyncRecord }
