const { ContainerRegistrationKeys } = require("@medusajs/framework/utils")
const { database } = require("./connection")

// The orders that this customer placed while signed in, as the module noted it: an
// order's own customer may be somebody whose e-mail address a guest typed.
async function ordersOf(scope, customerId) {
  const carts = await database(scope)("tradesync_checkout")
    .where({ actor_id: customerId })
    .pluck("cart_id")
  if (!carts.length) {
    return []
  }
  const { data } = await scope.resolve(ContainerRegistrationKeys.QUERY).graph({
    entity: "order_cart",
    fields: ["order_id", "cart_id"],
    filters: { cart_id: carts },
  })
  return data.filter((link) => carts.includes(link.cart_id)).map((link) => link.order_id)
}

/** The documents of these accounts that somebody who may see these orders may see. */
function visible(scope, accounts, orders) {
  return database(scope)("tradesync_record")
    .where("kind", "document")
    .whereIn("owner", accounts)
    .where((row) => row.whereNull("order_id").orWhereIn("order_id", orders))
}

/** What a buyer is told of a document: not where its file came from, nor others' orders. */
function told(row, orders) {
  const { kind, number, issued_on, erp_order, web_reference, web_order, file_name, content } =
    JSON.parse(row.document)
  return {
    id: row.id,
    account: row.owner,
    kind,
    number,
    issued_on,
    erp_order: erp_order ?? null,
    web_reference: web_reference ?? null,
    web_order: orders.includes(web_order) ? web_order : null,
    file_name,
    media_type: content.media_type,
    size: content.size,
  }
}

async function page(scope, accounts, customerId, limit, offset) {
  const orders = await ordersOf(scope, customerId)
  const [{ count }] = await visible(scope, accounts, orders).count({ count: "*" })
  const rows = await visible(scope, accounts, orders)
    .select("id", "owner", "document")
    .orderByRaw(`"about" desc, "key" desc`)
    .limit(limit)
    .offset(offset)
  return { documents: rows.map((row) => told(row, orders)), count: Number(count) }
}

/** The document with that ID, with its SHA-256, if this customer may see it; otherwise null. */
async function one(scope, accounts, customerId, id) {
  const orders = await ordersOf(scope, customerId)
  const row = await visible(scope, accounts, orders)
    .where({ id })
    .first("id", "owner", "document", "sha256")
  return row ? { ...told(row, orders), sha256: row.sha256 } : null
}

module.exports = { one, page }
