const { ContainerRegistrationKeys } = require("@medusajs/framework/utils")

// The metadata key of a customer *group* that says which ERP account its members
// act for. Groups are the admin's alone. A customer's own metadata would not do:
// a shopper may set it with POST /store/customers/me.
const ACCOUNT_KEY = "tradesync_account"

/** The ERP accounts that this signed-in customer acts for; nobody signed in: none. */
async function accountsOf(scope, customerId) {
  if (!customerId) {
    return []
  }
  const query = scope.resolve(ContainerRegistrationKeys.QUERY)
  const { data } = await query.graph({
    entity: "customer",
    fields: ["id", "has_account", "groups.metadata"],
    filters: { id: customerId },
  })
  const found = data.find((each) => each.id === customerId)
  if (!found || !found.has_account) {
    return []
  }
  const named = (found.groups || []).map((group) => (group.metadata || {})[ACCOUNT_KEY])
  return [...new Set(named.filter((id) => typeof id === "string" && id !== ""))]
}

module.exports = { ACCOUNT_KEY, accountsOf }
