const { ContainerRegistrationKeys, generateEntityId } = require("@medusajs/framework/utils")
const { accountsOf } = require("./accounts")
const { database } = require("./records")

const graph = (scope, asked) => scope.resolve(ContainerRegistrationKeys.QUERY).graph(asked)

/**
 * An address as one text, to be compared with the mirrored ones. The daemon
 * spells theirs in the same way (addresses.py): every part, blanks tidied, one
 * to a line, the country in small letters. A phone number is no part of a place.
 */
function addressText(address) {
  const tidy = (value) => String(value ?? "").trim().split(/\s+/).join(" ")
  return [
    tidy(address.company),
    tidy(`${address.first_name ?? ""} ${address.last_name ?? ""}`),
    tidy(address.address_1),
    tidy(address.address_2),
    tidy(address.city),
    tidy(address.province),
    tidy(address.postal_code),
    tidy(address.country_code).toLowerCase(),
  ].join("\n")
}

async function selected(scope, kind, account, address) {
  if (!account || !address) {
    return { [kind]: null, [`${kind}_text`]: null }
  }
  const text = addressText(address)
  const rows = await database(scope)("tradesync_record")
    .select("key")
    .where({ kind, owner: account, about: text })
  // Two that read the same cannot be told apart: then it counts as typed.
  const one = rows.length === 1
  return { [kind]: one ? rows[0].key : null, [`${kind}_text`]: one ? text : null }
}

/**
 * Remember who is about to complete this cart. A cart that is an order already
 * is left alone: whoever completes it once more did not place it.
 */
async function record(scope, cartId, actorId) {
  const { data: placed } = await graph(scope, {
    entity: "order_cart",
    fields: ["order_id", "cart_id"],
    filters: { cart_id: cartId },
  })
  if (placed.length) {
    return
  }
  const accounts = await accountsOf(scope, actorId)
  const account = accounts.length === 1 ? accounts[0] : null
  const { data: carts } = await graph(scope, {
    entity: "cart",
    fields: ["id", "shipping_address.*", "billing_address.*"],
    filters: { id: cartId },
  })
  const cart = carts[0] || {}
  const row = {
    cart_id: cartId,
    actor_id: actorId ?? null,
    account,
    ...(await selected(scope, "ship_to", account, cart.shipping_address)),
    ...(await selected(scope, "bill_to", account, cart.billing_address)),
  }
  const knex = database(scope)
  await knex("tradesync_checkout")
    .insert({ id: generateEntityId(undefined, "tschk"), ...row })
    .onConflict("cart_id")
    .merge({ ...row, updated_at: knex.fn.now() })
}

/** What was recorded of these orders; one that is missing was never recorded. */
async function ofOrders(scope, orderIds) {
  const { data: links } = await graph(scope, {
    entity: "order_cart",
    fields: ["order_id", "cart_id"],
    filters: { order_id: orderIds },
  })
  const orderOf = new Map(links.map((link) => [link.cart_id, link.order_id]))
  const rows = await database(scope)("tradesync_checkout")
    .select(
      "cart_id",
      "actor_id",
      "account",
      "ship_to",
      "ship_to_text",
      "bill_to",
      "bill_to_text"
    )
    .whereIn("cart_id", [...orderOf.keys()])
  return rows.map(({ cart_id, ...row }) => ({ order_id: orderOf.get(cart_id), ...row }))
}

module.exports = { addressText, ofOrders, record }
