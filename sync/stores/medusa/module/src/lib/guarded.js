const crypto = require("node:crypto")
const { authenticate } = require("@medusajs/framework/http")
const { Modules } = require("@medusajs/framework/utils")

// Medusa holds a secret API key against its hash by scrypt, with every request: 50 ms of
// processor time, more than most of our answers take. That protects words that people think
// up, against whoever steals the hashes; these keys are 32 random bytes. So here a key that
// Medusa has let in is known again, by a keyed digest that never leaves this process. That
// it was not revoked or deleted since is asked every time.
const SECRET = crypto.randomBytes(32)
const MOST_KNOWN = 100
const known = new Map()

const digestOf = (key) => crypto.createHmac("sha256", SECRET).update(key).digest("base64")

/** The secret API key that Medusa would take of these headers; null where there is none. */
function keyIn(header) {
  const [kind, text] = (header || "").split(" ")
  if (kind.toLowerCase() !== "basic" || !text) {
    return null
  }
  const plain = text.startsWith("sk_") ? text : Buffer.from(text, "base64").toString("utf-8")
  const key = plain.endsWith(":") ? plain.slice(0, -1) : plain
  return key.startsWith("sk_") ? key : null
}

/** Whether Medusa has let this key in before and still would. */
async function isKnown(scope, key) {
  const id = known.get(digestOf(key))
  if (id === undefined) {
    return false
  }
  const filters = { id, type: "secret" }
  const [held] = await scope.resolve(Modules.API_KEY).listApiKeys(filters, { take: 1 })
  return Boolean(held) && (!held.revoked_at || new Date(held.revoked_at) > new Date())
}

function remember(key, id) {
  if (known.size >= MOST_KNOWN) {
    known.clear()
  }
  known.set(digestOf(key), id)
}

const byMedusa = authenticate("user", ["bearer", "session", "api-key"])

async function isLetIn(req, res) {
  const key = keyIn(req.headers.authorization)
  if (key !== null && (await isKnown(req.scope, key))) {
    return true
  }
  let passed = false
  await byMedusa(req, res, (error) => {
    if (error) throw error
    passed = true
  })
  if (passed && key !== null && req.auth_context?.actor_type === "api-key") {
    remember(key, req.auth_context.actor_id)
  }
  // Where it is not, Medusa has answered.
  return passed
}

/**
 * The methods of an admin route, each behind the guard. Medusa's own does not stand before
 * them then; a route that is not wrapped in this keeps Medusa's own.
 */
function guarded(methods) {
  const behind = (handler) => async (req, res) => {
    if (await isLetIn(req, res)) {
      await handler(req, res)
    }
  }
  const named = Object.entries(methods).map(([name, handler]) => [name, behind(handler)])
  return { ...Object.fromEntries(named), AUTHENTICATE: false }
}

module.exports = { guarded }
