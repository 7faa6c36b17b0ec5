-- The tables of Harbour Ledger; braces hold what the dialects spell differently.
CREATE TABLE customers (
    customer_no ${key} PRIMARY KEY, name TEXT NOT NULL, currency TEXT, status TEXT NOT NULL,
    terms TEXT, tax_exempt ${bool}, credit_code TEXT, default_ship_to TEXT, po_required ${bool},
    tax_id TEXT, web_key ${key} UNIQUE, changed_at ${time});
CREATE TABLE customer_currencies (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON UPDATE CASCADE ON DELETE CASCADE,
    currency TEXT);
CREATE TABLE customer_groups (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON UPDATE CASCADE ON DELETE CASCADE,
    group_code TEXT);
CREATE TABLE customer_tags (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON UPDATE CASCADE ON DELETE CASCADE,
    tag TEXT);
CREATE TABLE contacts (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON UPDATE CASCADE ON DELETE CASCADE,
    contact_no TEXT, email TEXT);
CREATE TABLE branches (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON UPDATE CASCADE ON DELETE CASCADE,
    branch_no TEXT, name TEXT, tax_exempt ${bool}, default_ship_to TEXT, bill_to TEXT,
    warehouse TEXT);
CREATE TABLE addresses (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON UPDATE CASCADE ON DELETE CASCADE,
    purpose ${key} NOT NULL, address_no ${key} NOT NULL, name TEXT, line1 TEXT, line2 TEXT,
    line3 TEXT, city TEXT, country TEXT, postal_code TEXT, region TEXT, attention TEXT,
    phone TEXT, email TEXT, residential ${bool}, is_default ${bool}, tax_exempt ${bool},
    warehouse TEXT, branch_no TEXT, changed_at ${time},
    PRIMARY KEY (customer_no, purpose, address_no));
CREATE TABLE items (
    item_no ${key} PRIMARY KEY, stock_unit TEXT NOT NULL, description TEXT, status TEXT NOT NULL,
    whole_units_only ${bool}, kit ${bool}, restricted ${bool}, blocked INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE item_units (item_no ${key} NOT NULL REFERENCES items (item_no), unit TEXT, factor ${quantity});
CREATE TABLE item_customers (item_no ${key} NOT NULL REFERENCES items (item_no), customer_no ${key});
CREATE TABLE item_tags (item_no ${key} NOT NULL REFERENCES items (item_no), tag TEXT);
CREATE TABLE prices (
    level TEXT NOT NULL, owner TEXT, price_list TEXT, item_no ${key}, unit TEXT, currency TEXT,
    min_quantity ${quantity}, unit_price ${price}, valid_from ${date}, valid_until ${date},
    priority INTEGER, warehouse TEXT, changed_at ${time});
CREATE TABLE invoices (
    invoice_no ${key} PRIMARY KEY,
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON UPDATE CASCADE ON DELETE CASCADE,
    kind TEXT, invoiced_on ${date}, currency TEXT, total ${amount}, tax ${amount},
    freight ${amount}, open_amount ${amount}, order_ref TEXT, po_number TEXT,
    web_reference TEXT, changed_at ${time});
CREATE TABLE invoice_lines (
    invoice_no ${key} NOT NULL REFERENCES invoices (invoice_no) ON DELETE CASCADE, line_no INTEGER,
    item_no ${key}, description TEXT, quantity ${quantity}, unit TEXT, unit_price ${price},
    net ${amount});
CREATE TABLE invoice_dues (
    invoice_no ${key} NOT NULL REFERENCES invoices (invoice_no) ON DELETE CASCADE, due_on ${date},
    amount ${amount});
CREATE TABLE orders (
    order_no ${serial}, web_key ${key} UNIQUE,
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON UPDATE CASCADE,
    web_order TEXT, web_number TEXT, channel TEXT, web_user TEXT, organisation TEXT,
    branch_no TEXT, retail ${bool}, ordered_at ${time}, ordered_on ${date}, currency TEXT,
    lines_total ${amount}, charges_total ${amount}, total ${amount}, contact_no TEXT, terms TEXT,
    status TEXT, status_message TEXT, po_number TEXT, notes TEXT, requested_on ${date},
    ship_complete ${bool}, ship_via TEXT, collect_account TEXT, phone TEXT, email TEXT,
    ship_to_no TEXT, bill_to_no TEXT, source TEXT, changed_at ${time});
CREATE TABLE order_addresses (
    order_no INTEGER NOT NULL REFERENCES orders (order_no), purpose TEXT, name TEXT, line1 TEXT, line2 TEXT,
    line3 TEXT, city TEXT, country TEXT, postal_code TEXT, region TEXT, attention TEXT,
    phone TEXT, email TEXT, residential ${bool});
CREATE TABLE order_lines (
    order_no INTEGER NOT NULL REFERENCES orders (order_no), line_no INTEGER NOT NULL,
    item_no ${key} NOT NULL REFERENCES items (item_no), quantity ${quantity}, unit TEXT,
    stock_quantity ${quantity}, unit_price ${price}, discount ${amount},
    discount_rate ${price}, net ${amount}, customer_part TEXT, note TEXT, description TEXT,
    shipped ${quantity},
    PRIMARY KEY (order_no, line_no));
CREATE TABLE order_amounts (
    order_no INTEGER NOT NULL REFERENCES orders (order_no), kind TEXT, amount_no INTEGER, code TEXT,
    amount ${amount}, rate ${price});
CREATE TABLE order_payments (
    order_no INTEGER NOT NULL REFERENCES orders (order_no), payment_no INTEGER, method TEXT, code TEXT,
    amount ${amount}, reference TEXT, captured ${bool});
CREATE TABLE order_remarks (
    order_no INTEGER NOT NULL REFERENCES orders (order_no), remark_no INTEGER, remark TEXT);
CREATE TABLE shipments (
    order_no INTEGER NOT NULL REFERENCES orders (order_no), shipment_no TEXT, shipped_on ${date},
    carrier TEXT, tracking TEXT);
CREATE TABLE order_progress (
    order_no INTEGER NOT NULL REFERENCES orders (order_no), line_no INTEGER, item_no ${key},
    ordered ${quantity}, shipped ${quantity}, back_ordered ${quantity});
CREATE TABLE balances (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON DELETE CASCADE ON UPDATE CASCADE,
    currency ${key} NOT NULL, owed ${amount} NOT NULL, credit_limit ${amount});
CREATE TABLE ageing (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON DELETE CASCADE ON UPDATE CASCADE,
    currency ${key} NOT NULL, from_days INTEGER, to_days INTEGER, amount ${amount} NOT NULL);
CREATE TABLE customer_parts (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON DELETE CASCADE ON UPDATE CASCADE,
    part_no ${key} NOT NULL, item_no ${key} NOT NULL REFERENCES items (item_no), unit TEXT,
    description TEXT);
CREATE TABLE papers (
    customer_no ${key} NOT NULL REFERENCES customers (customer_no) ON DELETE CASCADE ON UPDATE CASCADE,
    kind TEXT NOT NULL, paper_no ${key} NOT NULL, issued ${date} NOT NULL, file_name TEXT NOT NULL,
    order_no TEXT, web_ref TEXT, file_size INTEGER, sha256 TEXT);
CREATE TABLE stock (
    item_no ${key} NOT NULL REFERENCES items (item_no), warehouse TEXT NOT NULL,
    free ${quantity} NOT NULL, next_due ${date}, discontinued ${bool});
CREATE TABLE credits (
    credit_no ${serial}, web_key ${key} UNIQUE,
    order_no INTEGER NOT NULL REFERENCES orders (order_no), customer_no ${key} NOT NULL,
    refund ${key} NOT NULL, web_number TEXT, amount ${amount} NOT NULL, currency ${key} NOT NULL,
    refunded_on ${date} NOT NULL)
