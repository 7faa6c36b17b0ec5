const { ContainerRegistrationKeys, generateEntityId } = require("@medusajs/framework/utils")

const KINDS = ["account", "ship_to", "bill_to", "invoice", "price"]
const ROWS_PER_STATEMENT = 1000

const database = (scope) => scope.resolve(ContainerRegistrationKeys.PG_CONNECTION)

function* chunks(rows, size) {
  for (let start = 0; start < rows.length; start += size) {
    yield rows.slice(start, start + size)
  }
}

// Put and remove records, all of them or none. The last of several records with
// one key counts. Putting what is there already is harmless.
async function apply(scope, put, remove) {
  const latest = new Map(put.map((row) => [JSON.stringify([row.kind, row.owner, row.key]), row]))
  const rows = [...latest.values()].map((row) => ({
    id: generateEntityId(undefined, "tsrec"),
    kind: row.kind,
    owner: row.owner,
    key: row.key,
    about: row.about ?? null,
    document: row.document,
  }))
  await database(scope).transaction(async (trx) => {
    for (const some of chunks(remove, ROWS_PER_STATEMENT)) {
      await trx("tradesync_record")
        .whereIn(["kind", "owner", "key"], some.map((row) => [row.kind, row.owner, row.key]))
        .delete()
    }
    for (const some of chunks(rows, ROWS_PER_STATEMENT)) {
      await trx("tradesync_record")
        .insert(some)
        .onConflict(["kind", "owner", "key"])
        .merge({
          about: trx.raw("excluded.about"),
          document: trx.raw("excluded.document"),
          updated_at: trx.fn.now(),
        })
    }
  })
}

// Everything of these owners, of any kind named.
async function removeOwners(scope, kinds, owners) {
  await database(scope)("tradesync_record").whereIn("kind", kinds).whereIn("owner", owners).delete()
}

// Records by owner and key; `after` is the last [owner, key] of the page before.
async function page(scope, { kind, owners, about, after, limit }) {
  const query = database(scope)("tradesync_record")
    .select("owner", "key", "about", "document")
    .where("kind", kind)
    .orderByRaw(`"owner" collate "C", "key" collate "C"`)
    .limit(limit)
  if (owners) query.whereIn("owner", owners)
  if (about) query.whereIn("about", about)
  if (after) query.whereRaw(`("owner" collate "C", "key" collate "C") > (?, ?)`, after)
  return await query
}

async function owners(scope, kinds) {
  return await database(scope)("tradesync_record")
    .distinct("kind", "owner")
    .whereIn("kind", kinds)
    .orderBy(["kind", "owner"])
}

module.exports = { KINDS, apply, database, owners, page, removeOwners }
