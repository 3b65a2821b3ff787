<%@ Page Language="C#" MasterPageFile="~/Site.master" Title="TimeTrack - Attachments" %>
<%@ Import Namespace="System.Security.Cryptography" %>
<script runat="server">
    protected void Page_Load(object sender, EventArgs e)
    {
        if (Request.QueryString["download"] != null)
            Download();
    }

    protected void Send_Click(object sender, EventArgs e)
    {
        if (!File.HasFile)
        {
            Problem.Text = "Please choose a file first.";
            return;
        }
        byte[] content = File.FileBytes;
        Session["FileName"] = System.IO.Path.GetFileName(File.FileName);
        Session["FileType"] = File.PostedFile.ContentType;
        Session["FileContent"] = content;
        FileName.Text = Server.HtmlEncode((string)Session["FileName"]);
        FileSize.Text = content.Length.ToString();
        using (SHA256 sha = SHA256.Create())
            FileHash.Text = BitConverter.ToString(sha.ComputeHash(content)).Replace("-", "").ToLowerInvariant();
        Result.Visible = true;
    }

    private void Download()
    {
        byte[] content = (byte[])Session["FileContent"];
        if (content == null)
            throw new HttpException(404, "Nothing was uploaded in this session.");
        Response.Clear();
        Response.ContentType = "application/octet-stream";
        Response.AddHeader("Content-Disposition", "attachment; filename*=UTF-8''" + Uri.EscapeDataString((string)Session["FileName"]));
        Response.BinaryWrite(content);
        Response.End();
    }
</script>
<asp:Content ContentPlaceHolderID="Main" runat="server">
  <h1>Attachments</h1>
  <p>Receipts and delivery notes, at most 64 MB.</p>
  <p><asp:FileUpload ID="File" runat="server" /> <asp:Button ID="Send" runat="server" Text="Upload" OnClick="Send_Click" /></p>
  <p><asp:Label ID="Problem" runat="server" CssClass="error" EnableViewState="false" /></p>
  <asp:Panel ID="Result" runat="server" Visible="false" EnableViewState="false">
    <table class="grid">
      <tr><th>Name</th><th>Bytes</th><th>SHA-256</th></tr>
      <tr><td id="file-name"><asp:Literal ID="FileName" runat="server" /></td>
          <td id="file-size"><asp:Literal ID="FileSize" runat="server" /></td>
          <td id="file-sha256"><asp:Literal ID="FileHash" runat="server" /></td></tr>
    </table>
    <p><a id="download" href="Upload.aspx?download=1">Download it again</a></p>
  </asp:Panel>
</asp:Content>
