const { MedusaService } = require("@medusajs/framework/utils")
const { TradesyncRecord } = require("./models/record")
const { TradesyncCheckout } = require("./models/checkout")

// The tables live here, so that Medusa migrates them. They are written in
// lib/records.js, contents.js and checkouts.js, in one statement or transaction each:
// the methods that Medusa would generate read first and write afterwards, and
// lose an update when two do so at once.
class TradesyncService extends MedusaService({ TradesyncRecord, TradesyncCheckout }) {
  constructor(container, options) {
    super(...arguments)
    // What medusa-config says of the plugin. Subscribers are not told it themselves.
    this.settings = options || {}
  }
}

module.exports = TradesyncService
