-- The prices for billing.sql, with samples: run it once, then write your own prices.
CREATE TABLE IF NOT EXISTS billing_rates (
  prefix VARCHAR(20) NOT NULL PRIMARY KEY,
  price_per_part DECIMAL(10, 4) NOT NULL
);
INSERT INTO billing_rates VALUES ('+1', 0.0100), ('+44', 0.0300), ('+4477', 0.0450) ON CONFLICT DO NOTHING;
