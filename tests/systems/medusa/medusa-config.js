// A headless shop with our module in place: no admin pages, and everything that
// a larger shop would share between processes kept in memory.
const { defineConfig } = require("@medusajs/framework/utils")

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { connection: { ssl: false } },
    http: {
      storeCors: "*",
      adminCors: "*",
      authCors: "*",
      jwtSecret: "for-the-tests-only",
      cookieSecret: "for-the-tests-only",
    },
  },
  plugins: [
    {
      resolve: "tradesync-medusa",
      options: {
        webhookUrl: process.env.WEBHOOK_URL,
        webhookSecret: process.env.WEBHOOK_SECRET,
      },
    },
  ],
  modules: [
    {
      // "pp_system_default" is built in and stands for account terms.
      resolve: "@medusajs/medusa/payment",
      options: { providers: [{ resolve: "./src/modules/testcard", id: "testcard" }] },
    },
  ],
})
