-- What senders owe: the longest prefix in billing_rates decides the price of a part.
CREATE TABLE IF NOT EXISTS billing_rates (
  prefix VARCHAR(20) NOT NULL PRIMARY KEY,
  price_per_part DECIMAL(10, 4) NOT NULL
);
INSERT INTO billing_rates VALUES ('+1', 0.0100), ('+44', 0.0300), ('+4477', 0.0450) ON CONFLICT DO NOTHING;

SELECT cdrs.calling_number, SUM(cdrs.message_parts) AS parts,
       printf('%.4f', SUM(cdrs.message_parts * billing_rates.price_per_part)) AS price
FROM cdrs
JOIN billing_rates ON billing_rates.prefix = (
  SELECT rate.prefix FROM billing_rates AS rate
  WHERE cdrs.called_number LIKE rate.prefix || '%'
  ORDER BY LENGTH(rate.prefix) DESC LIMIT 1)
WHERE cdrs.status = 'delivered'
GROUP BY cdrs.calling_number
ORDER BY cdrs.calling_number;
