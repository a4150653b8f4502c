# 回填指定交易对的订单簿
curl -X POST "https://api.datahub.example.com/api/v1/backfill/orderbook" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "symbols": ["BTC_USDT.BNC", "BTC_USDT.OKX"],
    "limit": 20
  }'
