const { guarded } = require("../../../../lib/guarded")
const prices = require("../../../../lib/prices")
const records = require("../../../../lib/records")
const { areTexts, refuse } = require("../../../../lib/refusing")
const { isRecord } = require("../../../../lib/shapes")

const ASKED = ["owners", "about", "skus", "groups", "lists"]

/**
 * Put records of prices, all of them or none, and answer in the same request what is
 * needed to write the rows of their price lists. Without any to put it only answers.
 */
async function POST(req, res) {
  const { put = [], regions = false, ...asked } = req.body || {}
  if (!Array.isArray(put) || !put.every((row) => isRecord(row) && row.kind === "price")) {
    return refuse(res, "put is a list of records of prices")
  }
  if (!ASKED.every((name) => areTexts(asked[name]))) {
    return refuse(res, `${ASKED.join(", ")} are lists of texts`)
  }
  if (put.length) {
    await records.apply(req.scope, put, [])
  }
  res.json(await prices.known(req.scope, { ...asked, put, regions: regions === true }))
}

module.exports = guarded({ POST })
