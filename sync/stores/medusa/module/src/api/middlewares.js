const { authenticate, defineMiddlewares } = require("@medusajs/framework/http")
const checkouts = require("../lib/checkouts")

const SIGNED_IN = ["session", "bearer"]

// Everything that the daemon writes on an order or an address is under this name.
const OURS = /^tradesync/

/** What a shopper sends never carries our names: a cart's metadata becomes the order's. */
function withoutOurNames(req, _res, next) {
  for (const body of [req.body, req.validatedBody]) {
    if (!body || typeof body !== "object") continue
    for (const part of [body, body.shipping_address, body.billing_address]) {
      const metadata = part && typeof part === "object" ? part.metadata : null
      if (!metadata || typeof metadata !== "object") continue
      for (const name of Object.keys(metadata)) {
        if (OURS.test(name)) delete metadata[name]
      }
    }
  }
  next()
}

/** Note who completes the cart, before it is completed; without the note there is no order. */
async function recordActor(req, _res, next) {
  const context = req.auth_context
  const actor = context && context.actor_type === "customer" ? context.actor_id : null
  try {
    await checkouts.record(req.scope, req.params.id, actor || null)
  } catch (error) {
    return next(error)
  }
  next()
}

module.exports = {
  default: defineMiddlewares({
    routes: [
      {
        matcher: "/store/tradesync/*",
        middlewares: [authenticate("customer", SIGNED_IN)],
      },
      {
        matcher: "/store/carts/:id/complete",
        method: ["POST"],
        middlewares: [
          authenticate("customer", SIGNED_IN, { allowUnauthenticated: true }),
          recordActor,
        ],
      },
      { matcher: "/store/carts", method: ["POST"], middlewares: [withoutOurNames] },
      { matcher: "/store/carts/:id", method: ["POST"], middlewares: [withoutOurNames] },
      {
        matcher: "/store/customers/me/addresses",
        method: ["POST"],
        middlewares: [withoutOurNames],
      },
      {
        matcher: "/store/customers/me/addresses/:address_id",
        method: ["POST"],
        middlewares: [withoutOurNames],
      },
      {
        matcher: "/admin/tradesync/records",
        method: ["POST"],
        bodyParser: { sizeLimit: "16mb" },
      },
      {
        matcher: "/admin/tradesync/prices",
        method: ["POST"],
        bodyParser: { sizeLimit: "16mb" },
      },
      {
        matcher: "/admin/tradesync/prices/rows",
        method: ["POST"],
        bodyParser: { sizeLimit: "4mb" },
      },
      {
        matcher: "/admin/tradesync/uploads",
        method: ["POST"],
        bodyParser: { sizeLimit: "4mb" },
      },
      {
        matcher: "/admin/tradesync/documents",
        method: ["POST"],
        bodyParser: { sizeLimit: "1mb" },
      },
      {
        matcher: "/admin/tradesync/contents/sizes",
        method: ["POST"],
        bodyParser: { sizeLimit: "1mb" },
      },
    ],
  }),
}
