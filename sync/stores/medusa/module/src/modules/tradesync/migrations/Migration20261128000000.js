const { Migration } = require("@medusajs/framework/mikro-orm/migrations")

// Documents with their files. A content is there once, under its SHA-256, however
// many documents have it. What is being sent lies apart until it is whole.
class Migration20261128000000 extends Migration {
  async up() {
    this.addSql(`alter table "tradesync_record" add column if not exists "order_id" text null;`)
    this.addSql(`alter table "tradesync_record" add column if not exists "sha256" text null;`)
    this.addSql(`create index if not exists "IDX_tradesync_record_sha256"
      on "tradesync_record" ("sha256");`)
    this.addSql(`create table if not exists "tradesync_content" (
      "sha256" text not null,
      "position" integer not null,
      "piece" bytea not null,
      primary key ("sha256", "position")
    );`)
    this.addSql(`create table if not exists "tradesync_upload" (
      "id" text not null,
      "position" integer not null,
      "piece" bytea not null,
      "created_at" timestamptz not null default now(),
      primary key ("id", "position")
    );`)
  }

  async down() {
    this.addSql(`drop table if exists "tradesync_content" cascade;`)
    this.addSql(`drop table if exists "tradesync_upload" cascade;`)
    this.addSql(`alter table "tradesync_record" drop column if exists "order_id";`)
    this.addSql(`alter table "tradesync_record" drop column if exists "sha256";`)
  }
}

module.exports = { Migration20261128000000 }
