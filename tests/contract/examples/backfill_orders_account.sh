# 回填指定账户的订单
curl -X POST "https://api.datahub.example.com/api/v1/backfill/orders" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "accounts": ["OKX_MM01"]
  }'
