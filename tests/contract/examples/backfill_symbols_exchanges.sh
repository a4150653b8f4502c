curl -X POST "https://api.datahub.example.com/api/v1/backfill/symbols" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "exchanges": ["BNC", "OKX", "GIO"]
  }'
