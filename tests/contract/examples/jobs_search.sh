# 搜索 kline 相关任务
curl -X GET "https://api.datahub.example.com/api/v1/jobs?search=kline" \
  -H "Authorization: Bearer YOUR_TOKEN"
