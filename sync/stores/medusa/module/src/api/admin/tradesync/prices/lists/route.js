const { guarded } = require("../../../../../lib/guarded")
const prices = require("../../../../../lib/prices")
const { areTexts, refuse } = require("../../../../../lib/refusing")

/** Remove price lists with all of their rows; one that is not there is removed already. */
async function DELETE(req, res) {
  const { lists } = req.body || {}
  if (!areTexts(lists)) {
    return refuse(res, "lists is a list of the IDs of price lists")
  }
  await prices.drop(req.scope, lists)
  res.json({})
}

module.exports = guarded({ DELETE })
