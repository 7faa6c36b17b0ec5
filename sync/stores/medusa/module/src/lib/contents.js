const crypto = require("node:crypto")
const { database } = require("./connection")

// The files of documents, in pieces, once for each SHA-256. Whoever changes which
// documents have them holds this lock to the end of the transaction: or else a
// content could go while another document takes it up.
const LOCK = `select pg_advisory_xact_lock(hashtext('tradesync_content'))`
const LEFT_BEHIND = `"created_at" < now() - interval '1 day'`

const lock = (trx) => trx.raw(LOCK)

/** Keep a piece of a file that is being sent. The same piece again is harmless. */
async function keep(scope, upload, position, piece) {
  await database(scope)("tradesync_upload")
    .insert({ id: upload, position, piece })
    .onConflict(["id", "position"])
    .merge(["piece"])
}

/**
 * Take what was sent as the content with this SHA-256 and size, in place of whatever
 * was held under it. False, and nothing taken, where it has neither.
 */
async function take(trx, upload, sha256, size) {
  const file = `string_agg("piece", ''::bytea order by "position")`
  const [sent] = await trx("tradesync_upload")
    .select(
      trx.raw(`coalesce(sum(length("piece")), 0) as "size"`),
      trx.raw(`encode(sha256(${file}), 'hex') as "sha256"`)
    )
    .where({ id: upload })
  const whole = Number(sent.size) === size && sent.sha256 === sha256
  if (whole) {
    await trx("tradesync_content").where({ sha256 }).delete()
    await trx.raw(
      `insert into "tradesync_content" ("sha256", "position", "piece")
       select ?, "position", "piece" from "tradesync_upload" where "id" = ?`,
      [sha256, upload]
    )
  }
  await trx("tradesync_upload").where({ id: upload }).orWhereRaw(LEFT_BEHIND).delete()
  return whole
}

/** How many bytes are held under each SHA-256, of those that are held. */
async function sizes(knex, sha256s) {
  const rows = await knex("tradesync_content")
    .select("sha256", knex.raw(`sum(length("piece")) as "size"`))
    .whereIn("sha256", sha256s)
    .groupBy("sha256")
  return new Map(rows.map((row) => [row.sha256, Number(row.size)]))
}

/** Remove those of these contents that no document has any more. */
async function dropUnused(trx, sha256s) {
  if (sha256s.length) {
    await trx("tradesync_content")
      .whereIn("sha256", sha256s)
      .whereNotExists(
        trx("tradesync_record")
          .select(trx.raw("1"))
          .whereRaw(`"tradesync_record"."sha256" = "tradesync_content"."sha256"`)
      )
      .delete()
  }
}

/** The whole content; null where what is held has another SHA-256, or nothing is held. */
async function read(scope, sha256) {
  const rows = await database(scope)("tradesync_content")
    .select("piece")
    .where({ sha256 })
    .orderBy("position")
  const content = Buffer.concat(rows.map((row) => row.piece))
  const held = crypto.createHash("sha256").update(content).digest("hex")
  return rows.length && held === sha256 ? content : null
}

module.exports = { dropUnused, keep, lock, read, sizes, take }
