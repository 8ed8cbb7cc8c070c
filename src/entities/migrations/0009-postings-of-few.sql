-- The postings of an operation are looked for by the operation, but for those of a transfer, whose ids follow from it.
-- Without transfers, which are most of all postings and come in no order of their pkids, this index stays small.
-- The old one is dropped last: until then only writers wait, and readers for no longer than the drop.
CREATE INDEX posting_of_operation ON posting (operation_pkid) WHERE operation_kind <> 'transfer';
DROP INDEX posting_operation;
ALTER INDEX posting_of_operation RENAME TO posting_operation;
