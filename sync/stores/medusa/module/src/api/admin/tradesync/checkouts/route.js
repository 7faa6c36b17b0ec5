const checkouts = require("../../../../lib/checkouts")
const { guarded } = require("../../../../lib/guarded")
const { areTexts, refuse } = require("../../../../lib/refusing")

/** Who placed these orders, as the server authenticated them at checkout. Reads only. */
async function POST(req, res) {
  const { order_ids: orderIds } = req.body || {}
  if (!areTexts(orderIds)) {
    return refuse(res, "order_ids is a list of texts")
  }
  res.json({ checkouts: await checkouts.ofOrders(req.scope, orderIds) })
}

module.exports = guarded({ POST })
