-- What each node accepted, and where it ended.
SELECT origin_node, destination_node, COUNT(*) AS messages
FROM cdrs
GROUP BY origin_node, destination_node
ORDER BY origin_node, destination_node;
