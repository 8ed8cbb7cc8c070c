-- Lists by status answer at the same price however many rows there are: what an order is at follows from its own
-- columns, so an index may hold it. The words are those of the filter, or the index is of no use. An order changes
-- some four times in its life, so the entries that this costs are few. While it is built, changes of orders wait.

CREATE INDEX seller_order_status ON seller_order ((CASE
  WHEN paid_at IS NULL THEN 'unpaid'
  WHEN refunded + taken_before + taken_after = amount THEN 'refunded'
  WHEN delivered_at IS NULL THEN 'paid'
  ELSE 'delivered' END), created_at DESC, order_id DESC);

CREATE INDEX checkout_canceled ON checkout (created_at DESC, checkout_id DESC) WHERE canceled_at IS NOT NULL;

-- What the index holds is counted now instead of when the server comes to it: until then plans would be guesses.
ANALYZE seller_order;
