const { Migration } = require("@medusajs/framework/mikro-orm/migrations")

class Migration20261127000000 extends Migration {
  async up() {
    this.addSql(`create table if not exists "tradesync_record" (
      "id" text not null primary key,
      "kind" text not null,
      "owner" text not null,
      "key" text not null,
      "about" text null,
      "document" text not null,
      "created_at" timestamptz not null default now(),
      "updated_at" timestamptz not null default now(),
      "deleted_at" timestamptz null
    );`)
    this.addSql(`create unique index if not exists "IDX_tradesync_record_key"
      on "tradesync_record" ("kind", "owner", "key");`)
    this.addSql(`create index if not exists "IDX_tradesync_record_about"
      on "tradesync_record" ("kind", "about");`)
    this.addSql(`create table if not exists "tradesync_checkout" (
      "id" text not null primary key,
      "cart_id" text not null,
      "actor_id" text null,
      "account" text null,
      "ship_to" text null,
      "ship_to_text" text null,
      "bill_to" text null,
      "bill_to_text" text null,
      "created_at" timestamptz not null default now(),
      "updated_at" timestamptz not null default now(),
      "deleted_at" timestamptz null
    );`)
    this.addSql(`create unique index if not exists "IDX_tradesync_checkout_cart"
      on "tradesync_checkout" ("cart_id");`)
  }

  async down() {
    this.addSql(`drop table if exists "tradesync_record" cascade;`)
    this.addSql(`drop table if exists "tradesync_checkout" cascade;`)
  }
}

module.exports = { Migration20261127000000 }
