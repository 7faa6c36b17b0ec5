const crypto = require("node:crypto")
const { setTimeout: sleep } = require("node:timers/promises")

// Medusa sends nothing out. This tells the daemon that an order changed, signed,
// and says no more than its ID: what it is now, the daemon reads for itself. The
// bus is in memory and a delivery may be lost, so these are hints, and the daemon
// polls all the same.
const PAUSES_MS = [0, 500, 2000]
const TIMEOUT_MS = 3000

// Events about an order name it as their own ID, those about a part of it apart.
function orderOf({ name, data }) {
  if (!data) {
    return undefined
  }
  return data.order_id || (name.startsWith("order.") ? data.id : undefined)
}

function signed(body, secret) {
  const second = Math.floor(Date.now() / 1000)
  const hmac = crypto.createHmac("sha256", secret).update(`${second}.${body}`)
  return `t=${second},v1=${hmac.digest("hex")}`
}

async function relay({ event, container }) {
  const { webhookUrl, webhookSecret } = container.resolve("tradesync").settings
  if (!webhookUrl) {
    return
  }
  const logger = container.resolve("logger")
  if (!webhookSecret) {
    logger.error("tradesync: webhookUrl without webhookSecret, so nothing is sent")
    return
  }
  const order = orderOf(event)
  if (!order) {
    return
  }
  const body = JSON.stringify({
    orders: [order],
    event: event.name,
    delivery: crypto.randomUUID(),
  })
  for (const pause of PAUSES_MS) {
    await sleep(pause)
    try {
      const reply = await fetch(webhookUrl, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-tradesync-signature": signed(body, webhookSecret),
        },
        body,
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      if (reply.ok) {
        return
      }
      logger.warn(`tradesync: ${event.name} was answered with ${reply.status}`)
    } catch (error) {
      logger.warn(`tradesync: ${event.name} could not be delivered: ${error.name}`)
    }
  }
}

module.exports = {
  default: relay,
  config: {
    event: [
      "order.placed",
      "order.updated",
      "order.canceled",
      "order.completed",
      "order.archived",
      "order.fulfillment_created",
      "order.fulfillment_canceled",
      "order.return_received",
      "order-edit.confirmed",
    ],
  },
}
