const { model } = require("@medusajs/framework/utils")

// One mirrored record: an account, an address, an invoice, a document or a price of
// the ERP.
//
// `owner` is the ERP customer ID (for prices: the audience and the level), `key`
// the record's own key within it. `about` is what it can be looked for by: an
// invoice's or a document's day, a price's item, an address as one text. `sha256` is
// the content of a document. `order_id`: only who may see that web order may see the
// record, and nobody where it is empty; null: everybody who acts for the owner.
// `document` is the record as JSON text, since a JSON column would turn its amounts
// into floats.
//
// Exported by name: Medusa looks for models among a file's named exports.
const TradesyncRecord = model
  .define("tradesync_record", {
    id: model.id({ prefix: "tsrec" }).primaryKey(),
    kind: model.text(),
    owner: model.text(),
    key: model.text(),
    about: model.text().nullable(),
    order_id: model.text().nullable(),
    sha256: model.text().nullable(),
    document: model.text(),
  })
  .indexes([{ on: ["kind", "owner", "key"], unique: true }])

module.exports = { TradesyncRecord }
