# 按名称倒序排列
curl -X GET "https://api.datahub.example.com/api/v1/jobs?order_by=name&order_desc=true" \
  -H "Authorization: Bearer YOUR_TOKEN"
