const {
  ContainerRegistrationKeys,
  Modules,
  buildPriceListRules,
} = require("@medusajs/framework/utils")
const {
  batchPriceListPricesWorkflow,
  createPriceListsWorkflow,
} = require("@medusajs/medusa/core-flows")
const records = require("./records")

// More records than these are asked for page by page.
const MOST_RECORDS = 5000

const LIST = ["id", "title", "description", "status", "type", "starts_at", "ends_at", "metadata"]
const RULES = ["price_list_rules.attribute", "price_list_rules.value"]

const graph = async (scope, entity, fields, filters) => {
  const query = scope.resolve(ContainerRegistrationKeys.QUERY)
  return (await query.graph({ entity, fields, filters })).data
}

/**
 * What is there for the writing of price lists, each as Medusa's own lists tell it:
 * the variants of these SKUs, the customer groups of these names, the price lists with
 * one of these words in their description, and what is recorded of these items and owners
 * beside what was put. `records` is null where there are too many.
 */
async function known(scope, { put, owners, about, skus, groups, lists, regions }) {
  const [held, variants, named, found, places] = await Promise.all([
    others(scope, put, owners, about),
    skus.length ? graph(scope, "product_variant", ["id", "sku", "metadata"], { sku: skus }) : [],
    groups.length ? graph(scope, "customer_group", ["id", "name", "metadata"], { name: groups }) : [],
    lists.length ? graph(scope, "price_list", [...LIST, ...RULES], described(lists)) : [],
    regions ? graph(scope, "region", ["id", "currency_code"], {}) : null,
  ])
  return {
    records: held,
    variants,
    groups: named,
    lists: found.map(told),
    regions: places,
  }
}

// A price list as Medusa's own routes tell it.
const told = ({ price_list_rules, ...list }) => ({
  ...list,
  rules: buildPriceListRules(price_list_rules) ?? {},
})

const described = (words) => ({ $or: words.map((each) => ({ description: { $ilike: `%${each}%` } })) })

// What is recorded of these items for these owners, but for what was just put.
async function others(scope, put, owners, about) {
  if (!owners.length || !about.length) {
    return []
  }
  const limit = put.length + MOST_RECORDS
  const page = await records.page(scope, { kind: "price", owners, about, limit: limit + 1 })
  const own = new Set(put.map((row) => JSON.stringify([row.owner, row.key])))
  const rest = page.filter((row) => !own.has(JSON.stringify([row.owner, row.key])))
  return page.length > limit || rest.length > MOST_RECORDS ? null : rest
}

/**
 * Change the rows of a price list, of one that is made first where `head` is given: by
 * Medusa's own workflows, but that nothing of the rows is told, which takes Medusa half as
 * long again. Gives the list; null, and nothing done, where it is not there.
 */
async function write(scope, { list, head, create, update, remove }) {
  const id = list ?? (await make(scope, head))
  const there = (await graph(scope, "price_list", [...LIST, ...RULES], { id })).map(told)
  if (!there.length) {
    return null
  }
  // Gone first: of two rows for one quantity the lower counts meanwhile.
  await removeRows(scope, id, remove)
  for (const rows of [{ update }, { create }]) {
    if (Object.values(rows)[0].length) {
      await batchPriceListPricesWorkflow(scope).run({
        input: { data: { id, create: [], update: [], delete: [], ...rows } },
      })
    }
  }
  return there[0]
}

async function make(scope, head) {
  const { result } = await createPriceListsWorkflow(scope).run({
    input: { price_lists_data: [head] },
  })
  return result[0].id
}

// For good. Medusa's own routes mark each as deleted, which takes a time that grows with the
// square of the rows that the list ever had: for 2,000 more than a minute.
async function removeRows(scope, list, ids) {
  if (ids.length) {
    const pricing = scope.resolve(Modules.PRICING)
    const filters = { id: ids, price_list_id: [list] }
    const rows = await pricing.listPrices(filters, { select: ["id"], take: ids.length })
    await pricing.removePrices(rows.map((row) => row.id))
  }
}

/** Remove price lists with their rows, for good as well. */
async function drop(scope, lists) {
  if (lists.length) {
    await scope.resolve(Modules.PRICING).deletePriceLists(lists)
  }
}

module.exports = { drop, known, write }
