const { ContainerRegistrationKeys } = require("@medusajs/framework/utils")

const database = (scope) => scope.resolve(ContainerRegistrationKeys.PG_CONNECTION)

module.exports = { database }
