const { Module } = require("@medusajs/framework/utils")
const TradesyncService = require("./service")

module.exports = { default: Module("tradesync", { service: TradesyncService }) }
