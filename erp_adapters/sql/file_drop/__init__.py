"""Orders for ERPs that take them only as files in a folder (WA-14).

The order's files are written under hidden names, noted in a record of ours,
and renamed into view, the header last. The record is what makes a second
submit harmless: it stays, whatever the ERP does with the files. What the ERP
answers is read from the files that it leaves in turn.

| record | hidden header | what happened | the next attempt |
| ------ | ------------- | ------------- | ---------------- |
| none   | perhaps       | nothing left  | writes anew |
| there  | there         | interrupted before the ERP could see an order | renames the rest |
| there  | gone          | the ERP has it, or had it | writes nothing |

We turned down to go by the ERP's folders alone: an ERP that deletes what it
has taken and answers an hour later would get the order twice.
"""
