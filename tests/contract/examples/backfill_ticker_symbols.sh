# 回填指定交易对的行情
curl -X POST "https://api.datahub.example.com/api/v1/backfill/ticker" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "symbols": ["BTC_USDT.BNC", "BTC_USDT.OKX", "ETH_USDT.BNC"]
  }'
