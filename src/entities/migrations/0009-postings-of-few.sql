-- The postings of an operation are looked for by the operation, but for those of a transfer, whose ids follow from it.
-- Without transfers, which are most of all postings and come in no order of their pkids, this index stays small.

DROP INDEX posting_operation;
CREATE INDEX posting_operation ON posting (operation_pkid) WHERE operation_kind <> 'transfer';
