const { randomUUID } = require("node:crypto")
const contents = require("./contents")
const { database } = require("./connection")

const KINDS = ["account", "ship_to", "bill_to", "invoice", "document", "price"]
const COLUMNS = ["id", "kind", "owner", "key", "about", "order_id", "sha256", "document"]
const ROWS_PER_STATEMENT = 1000

function* chunks(rows, size) {
  for (let start = 0; start < rows.length; start += size) {
    yield rows.slice(start, start + size)
  }
}

// By time, as Medusa's own, which take longer to make than a row takes to write.
const newId = () =>
  `tsrec_${Date.now().toString(36).padStart(9, "0")}${randomUUID().replaceAll("-", "")}`

const keysOf = (rows) => rows.map((row) => [row.kind, row.owner, row.key])
const ofDocuments = (rows) => rows.filter((row) => row.kind === "document")

// Put and remove records, all of them or none. The last of several records with
// one key counts. Putting what is there already is harmless. False, and nothing
// done, where a document's content is not held whole.
async function apply(scope, put, remove) {
  return await database(scope).transaction(async (trx) => {
    const documents = ofDocuments([...put, ...remove])
    if (documents.length) {
      await contents.lock(trx)
      const held = await contents.sizes(trx, ofDocuments(put).map((row) => row.sha256))
      if (!ofDocuments(put).every((row) => held.get(row.sha256) === row.size)) {
        return false
      }
    }
    await write(trx, put, remove)
    return true
  })
}

// Put a document with the content that was sent for it, both or none. False where
// that is not what the document tells.
async function publish(scope, row, upload) {
  return await database(scope).transaction(async (trx) => {
    await contents.lock(trx)
    const taken = await contents.take(trx, upload, row.sha256, row.size)
    if (taken) {
      await write(trx, [row], [])
    }
    return taken
  })
}

async function write(trx, put, remove) {
  const latest = new Map(put.map((row) => [JSON.stringify([row.kind, row.owner, row.key]), row]))
  const rows = [...latest.values()].map((row) => ({
    id: newId(),
    kind: row.kind,
    owner: row.owner,
    key: row.key,
    about: row.about ?? null,
    order_id: row.order_id ?? null,
    sha256: row.sha256 ?? null,
    document: row.document,
  }))
  const before = await contentsOf(trx, ofDocuments([...rows, ...remove]))
  for (const some of chunks(remove, ROWS_PER_STATEMENT)) {
    await trx("tradesync_record").whereIn(["kind", "owner", "key"], keysOf(some)).delete()
  }
  for (const some of chunks(rows, ROWS_PER_STATEMENT)) {
    await insert(trx, some)
  }
  await contents.dropUnused(trx, before)
}

// One list for each column: a statement with a parameter for each value of each row takes
// longer to make than to carry out.
async function insert(trx, rows) {
  const columns = COLUMNS.map((name) => rows.map((row) => row[name]))
  await trx.raw(
    `insert into "tradesync_record" (${COLUMNS.map((name) => `"${name}"`).join(", ")})
      select * from unnest(${COLUMNS.map(() => "?::text[]").join(", ")})
      on conflict ("kind", "owner", "key") do update set
        "about" = excluded."about", "order_id" = excluded."order_id",
        "sha256" = excluded."sha256", "document" = excluded."document", "updated_at" = now()`,
    columns
  )
}

// The contents that these documents have now.
async function contentsOf(trx, rows) {
  const found = new Set()
  for (const some of chunks(rows, ROWS_PER_STATEMENT)) {
    const held = await trx("tradesync_record")
      .select("sha256")
      .whereIn(["kind", "owner", "key"], keysOf(some))
    held.forEach((row) => found.add(row.sha256))
  }
  return [...found]
}

// Everything of these owners, of any kind named.
async function removeOwners(scope, kinds, owners) {
  await database(scope).transaction(async (trx) => {
    await contents.lock(trx)
    const gone = await trx("tradesync_record")
      .whereIn("kind", kinds)
      .whereIn("owner", owners)
      .delete("sha256")
    const held = gone.map((row) => row.sha256).filter((sha256) => sha256 !== null)
    await contents.dropUnused(trx, [...new Set(held)])
  })
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

module.exports = { KINDS, apply, database, owners, page, publish, removeOwners }
