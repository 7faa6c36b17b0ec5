"""What a profile must have for each capability, in the words of its documentation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WRITTEN_AS: Mapping[str, str] = MappingProxyType(
    {
        "ReadsAccounts": "accounts",
        "FindsContacts": "contacts_by_email",
        "FindsContactsTogether": "contacts_by_emails",
        "FindsCustomers": "customer_candidates",
        "ReadsShipTos": "ship_tos",
        "ReadsItems": "items",
        "ListsRestrictedItems": "restricted_items",
        "ReadsPrices": "price_scopes",
        "ReadsInvoices": "invoices",
        "ReadsBalances": "balances",
        "ReadsAccountOrders": "account_orders",
        "ReadsCustomerParts": "customer_parts",
        "ReadsDocuments": "documents",
        "ReadsAvailability": "availability",
        "TellsChanges": "clock",
        "FindsOrders": "find_order",
        "ReadsOrderStatus": "order_status",
        "ChecksPurchaseOrders": "purchase_order_used",
        "QuotesTax": "order_tax",
        "SubmitsOrders": "submit_order",
        "CancelsOrders": "cancel_order",
        "CreatesCustomers": "create_customer",
        "RequestsCredits": "credit_request",
    }
)
"""Protocol of ``sync.ports.erp`` -> the statement that it is served by."""
