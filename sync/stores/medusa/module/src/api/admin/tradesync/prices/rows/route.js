const { guarded } = require("../../../../../lib/guarded")
const prices = require("../../../../../lib/prices")
const { areTexts, isText, refuse } = require("../../../../../lib/refusing")
const { isListHead, isNewRow, isPricedRow } = require("../../../../../lib/price_shapes")

const areAll = (rows, is) => Array.isArray(rows) && rows.every(is)

/** Change the rows of a price list, or of one that is made for them: `list` or `head`. */
async function POST(req, res) {
  const { list = null, head = null, create = [], update = [], remove = [] } = req.body || {}
  if (list === null ? !isListHead(head) : !isText(list) || head !== null) {
    return refuse(res, "list is the ID of a price list, or head is one to be made")
  }
  if (!areAll(create, isNewRow) || !areAll(update, isPricedRow) || !areTexts(remove)) {
    return refuse(res, "create and update are lists of rows, remove is a list of their IDs")
  }
  const written = await prices.write(req.scope, { list, head, create, update, remove })
  if (written === null) {
    return refuse(res, "the price list is not there any more", 409)
  }
  res.json({ list: written })
}

module.exports = guarded({ POST })
