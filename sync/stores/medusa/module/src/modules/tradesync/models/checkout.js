const { model } = require("@medusajs/framework/utils")

// Who completed a cart, as this server authenticated them. No shopper can write
// it: neither a cart's metadata nor its e-mail address has any part in it.
//
// `actor_id` null: nobody was signed in. `ship_to` and `bill_to` are keys of the
// account's mirrored addresses that the cart's addresses were equal to; the texts
// are those addresses, so that one which staff change later is seen to differ.
const TradesyncCheckout = model.define("tradesync_checkout", {
  id: model.id({ prefix: "tschk" }).primaryKey(),
  cart_id: model.text().unique(),
  actor_id: model.text().nullable(),
  account: model.text().nullable(),
  ship_to: model.text().nullable(),
  ship_to_text: model.text().nullable(),
  bill_to: model.text().nullable(),
  bill_to_text: model.text().nullable(),
})

module.exports = { TradesyncCheckout }
