const { isText } = require("./refusing")

const isQuantity = (value) => value == null || (Number.isInteger(value) && value >= 0)
const isAmount = (value) => typeof value === "number" && Number.isFinite(value)
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value)
const onlyHas = (row, names) => Object.keys(row).every((name) => names.includes(name))
const isMoment = (value) => value == null || (isText(value) && !Number.isNaN(Date.parse(value)))

const NEW_ROW = ["variant_id", "currency_code", "amount", "min_quantity", "max_quantity", "rules"]
const PRICED_ROW = ["id", "variant_id", "amount"]
const HEAD = ["title", "description", "type", "status", "starts_at", "ends_at", "rules", "metadata"]

/** A row as Medusa's own route takes it. */
const isNewRow = (row) =>
  isObject(row) &&
  onlyHas(row, NEW_ROW) &&
  isText(row.variant_id) &&
  isText(row.currency_code) &&
  isAmount(row.amount) &&
  isQuantity(row.min_quantity) &&
  isQuantity(row.max_quantity) &&
  (row.rules == null || (isObject(row.rules) && Object.values(row.rules).every(isText)))

/** Another amount for a row that is there. */
const isPricedRow = (row) =>
  isObject(row) &&
  onlyHas(row, PRICED_ROW) &&
  isText(row.id) &&
  isText(row.variant_id) &&
  isAmount(row.amount)

/** What a price list is apart from its rows. */
const isListHead = (head) =>
  isObject(head) &&
  onlyHas(head, HEAD) &&
  isText(head.title) &&
  isText(head.description) &&
  ["sale", "override"].includes(head.type) &&
  ["active", "draft"].includes(head.status) &&
  isMoment(head.starts_at) &&
  isMoment(head.ends_at) &&
  isObject(head.rules) &&
  Object.values(head.rules).every((some) => Array.isArray(some) && some.every(isText)) &&
  isObject(head.metadata)

module.exports = { isListHead, isNewRow, isPricedRow }
